import { domainToASCII, domainToUnicode } from 'node:url';
import { Type } from '@mikro-orm/core';

/**
 * The one form of an e-mail address that is stored and compared: trimmed, composed (NFC), without case, and with its domain
 * as mail servers see it (UTS 46): `ada@exampℓe.com` is the mailbox of `ada@example.com`.
 */
export function normalizeEmail(email: string): string {
  const text = email.trim().normalize('NFC').toLowerCase().normalize('NFC'); // lower case can bring what composes
  const at = text.lastIndexOf('@') + 1;
  return text.slice(0, at) + (domainToUnicode(domainToASCII(text.slice(at))) || text.slice(at));
}

/** Column type that stores and compares every address in its normal form, whoever wrote it. */
export class EmailType extends Type<string, string> {
  override convertToDatabaseValue(value: string): string {
    return typeof value === 'string' ? normalizeEmail(value) : value;
  }

  override getColumnType(): string {
    return 'varchar(254)';
  }

  override compareAsType(): string {
    return 'string';
  }
}
