/** Enhanced status codes for a recipient that is wrong, does not exist, has moved or is closed (RFC 3463, RFC 7505). */
const NO_MAILBOX_CODES = /^5\.(1\.[123456]|1\.10|2\.1)$/;

/** Reply codes to RCPT TO that mostly mean the same, for replies without an enhanced code (RFC 5321 §4.2.3). */
const NO_MAILBOX_REPLIES = [550, 551, 553];

/** An enhanced status code after the reply code (RFC 2034 §4). */
const ENHANCED_CODE = /^5\d\d[ -](5\.\d{1,3}\.\d{1,3})\b/;

/**
 * Whether an SMTP error means that the recipient does not exist, so that a retry is useless. Errors about the sender, a
 * policy, a quota or a full mailbox are temporary or caused by wrong settings: such mails are retried, if the enhanced
 * code shows that it is such an error.
 */
export function isPermanentRejection(error: unknown): boolean {
  const { responseCode, command, response } = (error ?? {}) as Record<string, unknown>;
  const code = Number(responseCode);
  if (!['RCPT TO', 'DATA'].includes(String(command)) || !(code >= 550 && code <= 559)) return false;
  const enhanced = typeof response === 'string' ? ENHANCED_CODE.exec(response)?.[1] : undefined;
  if (enhanced) return NO_MAILBOX_CODES.test(enhanced);
  return command === 'RCPT TO' && NO_MAILBOX_REPLIES.includes(code);
}
