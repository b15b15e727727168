import type { Command } from 'commander';
import type { SessionInfo } from '../sessions/session-info.js';
import { isUuid } from '../users/user-key.js';
import { CommandError } from './command-error.js';
import { findUser } from './find-user.js';
import { addProjectOptions, type ProjectOptions, withProject } from './project.js';

interface ListOptions extends ProjectOptions {
  readonly user: string;
  readonly json?: boolean;
}

interface RevokeOptions extends ProjectOptions {
  readonly user: string;
  readonly session?: string;
}

/** Adds the commands `sessions list` and `sessions revoke`. */
export function addSessions(program: Command): void {
  const sessions = program.command('sessions').description('Lists or revokes the sessions of a user.');
  const user = ['--user <id or e-mail>', 'the user'] as const;
  const listing = sessions
    .command('list')
    .description('Lists the live sessions of a user, most recently used first, at most 200.')
    .requiredOption(...user)
    .option('--json', 'print the sessions as JSON');
  addProjectOptions(listing).action(list);
  const revoking = sessions
    .command('revoke')
    .description('Revokes every session of a user, or one.')
    .requiredOption(...user)
    .option('--session <id>', 'revoke only this session');
  addProjectOptions(revoking).action(revoke);
}

async function list({ user, json, ...project }: ListOptions): Promise<void> {
  const sessions = await withProject(project, async ({ auth, users }) =>
    auth.sessions.list(await findUser(users, user)),
  );
  if (json) process.stdout.write(`${JSON.stringify(sessions, null, 2)}\n`);
  else if (sessions.length === 0) process.stdout.write('no live sessions\n');
  else for (const session of sessions) process.stdout.write(`${describe(session)}\n`);
}

async function revoke({ user, session, ...project }: RevokeOptions): Promise<void> {
  const revoked = await withProject(project, async ({ auth, users }) => {
    const key = await findUser(users, user);
    if (session === undefined) return auth.sessions.revokeAll(key);
    const isRevoked = isUuid(session) && (await auth.sessions.revoke({ session, sub: String(key) }));
    if (!isRevoked) throw new CommandError('the user has no live session with this id');
    return 1;
  });
  process.stdout.write(`sessions revoked: ${revoked}\n`);
}

/** Describes a session in one line. Control characters that the client sent must not reach the terminal. */
function describe({ id, createdAt, lastUsedAt, expiresAt, ip, browser, os, device }: SessionInfo): string {
  const [used, opened, expires] = [lastUsedAt, createdAt, expiresAt].map((instant) => instant.toISOString());
  const client = [browser, os, device, ip].filter(Boolean).join(', ');
  return `${id}  used ${used}  opened ${opened}  expires ${expires}${client && `  ${client.replace(/\p{Cc}/gu, '?')}`}`;
}
