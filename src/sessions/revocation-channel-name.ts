import { createHash } from 'node:crypto';
import type { Table } from '../database/table.js';

/** The PostgreSQL channel on which ended sessions are told: one for each table, so that two schemas of a database do not mix. */
export function revocationChannel({ name }: Table): string {
  return `jwt_allauth_${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}
