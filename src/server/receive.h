/*
 * DATA: 354, the message through server/indata.h into the delivery with its
 * trace fields on top (RFC 5321, section 4.4), and the verdict.
 */
#ifndef SERVER_RECEIVE_H
#define SERVER_RECEIVE_H

struct smtpd;

/*
 * Runs DATA; the transaction must have a recipient. When the client goes
 * away, is silent too long or the message cannot be taken, nothing is stored.
 */
void receive_data(struct smtpd *s);

#endif
