import { Type } from '@mikro-orm/core';

/** The one form of an e-mail address that is stored and compared: trimmed, composed (NFC), without case. */
export function normalizeEmail(email: string): string {
  return email.trim().normalize('NFC').toLowerCase();
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
