/*
 * The content of a transaction: DATA or BDAT, in as few waits as can be.
 *
 * With CHUNKING and PIPELINING a small message goes in one write with MAIL,
 * RCPT and QUIT; else DATA goes with RCPT; else everything waits its turn.
 * No content is sent when no recipient stands (BDAT in one write excepted,
 * which the server then throws away), and with strict_recipients none is
 * sent after a refusal.
 */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

struct transaction;

/*
 * MAIL and RCPT are in the pipeline, answered or not: sends the content,
 * reads all replies and fills in the outcomes, or breaks the pipeline.
 */
void content_send(struct transaction *t);

#endif
