import { Table } from './database/table.js';
import { TableSweep } from './database/table-sweep.js';
import type { AuthKernel } from './kernel.js';
import { COUNTER_ENTITY } from './limits/counter.entity.js';
import { OUTBOX_MAIL_ENTITY } from './mail/outbox-mail.entity.js';
import type { AuthModule, ModuleParts } from './module.js';
import { sweepOfRevocations, sweepOfSessions } from './sessions/session-purge.js';
import { CHALLENGE_ENTITY } from './sign-in/challenge.entity.js';
import { ONE_TIME_KEY_ENTITY } from './tokens/one-time-key.entity.js';
import { PENDING_SIGN_UP_ENTITY } from './users/pending-sign-up.entity.js';

/** What `purge` deletes, by name. @throws TypeError if two sweeps have the same name: one of them would not run */
export function sweepsOf(kernel: AuthKernel, modules: readonly AuthModule[], features: readonly ModuleParts[]) {
  const sweeps: Record<string, TableSweep> = { ...kernelSweeps(kernel) };
  for (const [index, feature] of features.entries()) {
    const duplicate = Object.keys(feature.sweeps ?? {}).find((name) => Object.hasOwn(sweeps, name));
    if (duplicate) throw new TypeError(`module ${modules[index]?.name}: the sweep ${duplicate} exists already`);
    Object.assign(sweeps, feature.sweeps);
  }
  return sweeps;
}

/** What `purge` deletes from the library's own tables, by name. */
function kernelSweeps({ database, orm, settings }: AuthKernel): Readonly<Record<string, TableSweep>> {
  const table = (name: string) => Table.named(orm, name);
  return {
    sessions: sweepOfSessions(database, orm, settings),
    revocations: sweepOfRevocations(database, orm, settings),
    counters: new TableSweep(database, table(COUNTER_ENTITY), { since: 'resetsAt' }),
    oneTimeKeys: new TableSweep(database, table(ONE_TIME_KEY_ENTITY), { since: 'expiresAt' }),
    mails: new TableSweep(database, table(OUTBOX_MAIL_ENTITY), { since: 'expiresAt' }),
    signUps: new TableSweep(database, table(PENDING_SIGN_UP_ENTITY), { since: 'expiresAt' }),
    challenges: new TableSweep(database, table(CHALLENGE_ENTITY), { since: 'expiresAt' }),
  };
}
