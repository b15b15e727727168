import { domainToASCII, domainToUnicode } from 'node:url';
import { Type } from '@mikro-orm/core';

/**
 * The characters of a domain. A text with others is not parsed as a domain, because URL parsing would cut off a path or
 * decode percent-escapes.
 */
const DOMAIN = /^[\w.\-\u0080-\u{10ffff}]+$/u;

/** Invisible characters. With them, one address could look like another. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Whether a text contains invisible characters, except at its ends, where they are trimmed. */
export function hasInvisible(text: string): boolean {
  return INVISIBLE.test(text.trim());
}

/**
 * The usual domains, which are canonical already: labels of ASCII letters and digits that are neither Punycode nor
 * numbers of an IPv4 address.
 */
const CANONICAL = /^(?:[a-z][a-z0-9]{0,62}\.){1,3}[a-z]{2,63}$/;

/** Maps a domain to its canonical form, in Unicode (UTS 46). Empty if it is not a domain. */
export function mailDomain(domain: string): string {
  if (CANONICAL.test(domain)) return domain; // each user that is read passes here, and URL parsing is slow
  return DOMAIN.test(domain) ? domainToUnicode(domainToASCII(domain)) : '';
}

/**
 * Normalises an e-mail address, for storing and comparing: trimmed, composed (NFC), in lower case, with the canonical
 * form of the domain (UTS 46). For example, `ada@exampℓe.com` becomes `ada@example.com`.
 */
export function normalizeEmail(email: string): string {
  // Twice, because a letter can have a composed form in lower case only, such as `ǰ`.
  const text = email.trim().normalize('NFC').toLowerCase().normalize('NFC');
  const at = text.lastIndexOf('@') + 1;
  return text.slice(0, at) + (mailDomain(text.slice(at)) || text.slice(at));
}

/** A column type that normalises addresses, also those that the app's own code writes or compares. */
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
