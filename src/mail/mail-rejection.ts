/**
 * Enhanced status codes that say that a mailbox or its domain does not exist, has moved or is closed (RFC 3463, RFC
 * 7505).
 */
const NO_MAILBOX_CODES = /^5\.(1\.[123456]|1\.10|2\.1)$/;

/** Replies to RCPT TO that say the same without an enhanced code: 550, 551 and 553 (RFC 5321 §4.2.3). */
const NO_MAILBOX_REPLIES = [550, 551, 553];

/** An enhanced code behind the reply code (RFC 2034 §4). */
const ENHANCED_CODE = /^5\d\d[ -](5\.\d{1,3}\.\d{1,3})\b/;

/**
 * Whether a server said that a mail can never reach its recipient. What it says about the sender, its policy, a quota
 * or a full mailbox is passing, or a fault of the settings, and must not be the end of a mail.
 */
export function isPermanentRejection(error: unknown): boolean {
  const { responseCode, command, response } = (error ?? {}) as Record<string, unknown>;
  const code = Number(responseCode);
  if (!['RCPT TO', 'DATA'].includes(String(command)) || !(code >= 550 && code <= 559)) return false;
  const enhanced = typeof response === 'string' ? ENHANCED_CODE.exec(response)?.[1] : undefined;
  if (enhanced) return NO_MAILBOX_CODES.test(enhanced);
  return command === 'RCPT TO' && NO_MAILBOX_REPLIES.includes(code);
}
