import { domainToASCII, domainToUnicode } from 'node:url';
import { Type } from '@mikro-orm/core';

/**
 * What a domain consists of before it is mapped: a parser of hosts would cut off a path, and decode percent-escapes.
 */
const DOMAIN = /^[\w.\-\u0080-\u{10ffff}]+$/u;

/** Characters that are not seen, by which one address could pretend to be another. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Whether a text has invisible characters, apart from those that are trimmed off its ends. */
export function hasInvisible(text: string): boolean {
  return INVISIBLE.test(text.trim());
}

/** A domain as mail servers see it (UTS 46); empty for what is no domain. */
export function mailDomain(domain: string): string {
  return DOMAIN.test(domain) ? domainToUnicode(domainToASCII(domain)) : '';
}

/**
 * The one form of an e-mail address that is stored and compared: trimmed, composed (NFC), without case, and with its
 * domain as mail servers see it (UTS 46): `ada@exampℓe.com` is the mailbox of `ada@example.com`.
 */
export function normalizeEmail(email: string): string {
  const text = email.trim().normalize('NFC').toLowerCase().normalize('NFC'); // lower case can bring what composes
  const at = text.lastIndexOf('@') + 1;
  return text.slice(0, at) + (mailDomain(text.slice(at)) || text.slice(at));
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
