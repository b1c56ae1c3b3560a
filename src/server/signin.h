/*
 * The AUTH command (RFC 4954): mechanisms PLAIN and LOGIN, their dialogues,
 * and what a failure costs.
 */
#ifndef SERVER_SIGNIN_H
#define SERVER_SIGNIN_H

struct smtpd;

/* Runs AUTH; arg is what stands behind the verb. Forgets the line after that. */
void signin_run(struct smtpd *s, const char *arg);

/* Names of the mechanisms, one blank between them: for EHLO. */
const char *signin_mechanisms(void);

#endif
