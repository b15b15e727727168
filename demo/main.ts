import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type SettingsInput, settingsFromEnv } from 'jwt-allauth';
import { type PostgresServer, startPostgres } from 'jwt-allauth/testing';
import { claimDataFolder } from './data-folder.js';
import { openDatabase } from './database.js';
import { startLocalProvider } from './local-provider.js';
import { MODULES } from './modules.js';
import { RefreshToken } from './refresh-token.js';
import { secretKey } from './secret-key.js';
import { startServer } from './server.js';
import { terminalWalkthrough } from './terminal-walkthrough.js';

const DEFAULT_DATA = fileURLToPath(new URL('../../demo/.data', import.meta.url));

/** The port of the first demo of a checkout; each further one uses the next port. */
const DEFAULT_PORT = 3000;

/** What to stop when the demo stops, in reverse order. */
const running: (() => Promise<unknown>)[] = [];

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const env: NodeJS.ProcessEnv = { NODE_ENV: 'development', ...process.env };
  const folder = env.DEMO_DATA ? undefined : await claimDataFolder(DEFAULT_DATA);
  if (folder) running.push(folder.release);
  const directory = folder?.directory ?? resolve(env.DEMO_DATA ?? '');
  const port = readPort(env.PORT || String(DEFAULT_PORT + (folder?.index ?? 0)));
  const host = env.HOST || '127.0.0.1';
  const isDevelopment = env.NODE_ENV === 'development';
  const defaults = isDevelopment ? await developmentDefaults(urlOf(host, port), port) : {};
  const settings = await readSettings(withPasskeyDomain({ ...defaults, ...env }, port), directory);

  const orm = await openDatabase(env.DATABASE_URL || (await startOwnPostgres(directory)).url, env).catch((error) => {
    throw new Error(`The database${env.DATABASE_URL ? ' of DATABASE_URL' : ''} cannot be used: ${reasonOf(error)}`);
  });
  running.push(() => orm.close(true));
  const server = await startServer(orm, settings, { port, host, isDevelopment }).catch((error) => {
    throw error.code === 'EADDRINUSE' ? new Error(`Port ${port} is in use: choose another with PORT.`) : error;
  });
  running.push(async () => server.close().closeAllConnections());

  const { port: actual } = server.address() as { port: number };
  const url = urlOf(host, actual);
  console.log(
    `jwt-allauth demo at ${url}; Ctrl-C stops it. To see a token theft in the terminal, paste these lines into another one:\n`,
  );
  console.log(terminalWalkthrough(url, settings.refreshTokenAsCookie !== false));
}

/** Browsers make passkeys for `localhost`, and for no IP address. */
function urlOf(host: string, port: number): string {
  if (host === '127.0.0.1') return `http://localhost:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * In development mails are printed and links may use http, so accounts by mail are on, and so is a provider on this
 * machine. Devices are shown, access tokens expire fast enough to watch, and authenticator apps show the demo's name.
 */
async function developmentDefaults(url: string, port: number): Promise<NodeJS.ProcessEnv> {
  const provider = await startLocalProvider(port);
  running.push(() => provider.close());
  return {
    JWT_ALLAUTH_EMAIL_VERIFICATION: 'optional',
    JWT_ALLAUTH_PUBLIC_URL: url,
    JWT_ALLAUTH_INVITATIONS: 'true',
    JWT_ALLAUTH_REGISTRATION_RATE_LIMIT: 'off',
    JWT_ALLAUTH_COLLECT_USER_AGENT: 'true',
    JWT_ALLAUTH_ACCESS_TOKEN_LIFETIME: '1m',
    JWT_ALLAUTH_TOTP_ISSUER: 'jwt-allauth demo',
    JWT_ALLAUTH_PASSKEY_RP_NAME: 'jwt-allauth demo',
    JWT_ALLAUTH_MAGIC_LINK_SIGN_UP: 'true',
    JWT_ALLAUTH_MAGIC_LINK_DONE_REDIRECT: url,
    JWT_ALLAUTH_SOCIAL_PROVIDERS: JSON.stringify([provider.settings({ id: 'local', trustEmail: true })]),
  };
}

/** Without a URL that has a domain, passkeys work on this machine only, and the demo can start all the same. */
function withPasskeyDomain(env: NodeJS.ProcessEnv, port: number): NodeJS.ProcessEnv {
  const { hostname = '127.0.0.1' } = URL.parse(env.JWT_ALLAUTH_PUBLIC_URL ?? '') ?? {};
  const hasDomain = isIP(hostname.replace(/[[\]]/g, '')) === 0;
  if (hasDomain || env.JWT_ALLAUTH_PASSKEY_RP_ID) return env;
  const origins = env.JWT_ALLAUTH_PASSKEY_ORIGINS || `http://localhost:${port}`;
  return { ...env, JWT_ALLAUTH_PASSKEY_RP_ID: 'localhost', JWT_ALLAUTH_PASSKEY_ORIGINS: origins };
}

async function readSettings(env: NodeJS.ProcessEnv, directory: string): Promise<SettingsInput> {
  // An algorithm with key pairs needs no secret, and the settings refuse one.
  const needsSecret = (env.JWT_ALLAUTH_ALGORITHM ?? 'HS256').startsWith('HS');
  const key = env.JWT_ALLAUTH_SECRET_KEY ?? (needsSecret ? await secretKey(directory, 'secret-key', 48) : undefined);
  const encryptionKey = env.JWT_ALLAUTH_ENCRYPTION_KEYS ?? (await secretKey(directory, 'encryption-key', 32));
  const own = { JWT_ALLAUTH_SECRET_KEY: key, JWT_ALLAUTH_ENCRYPTION_KEYS: encryptionKey };
  const settings = settingsFromEnv({ ...env, ...own }, MODULES);
  return Object.assign(settings, { refreshToken: settings.refreshToken ?? RefreshToken });
}

function readPort(value: string): number {
  const port = Number(value);
  if (/^\d+$/.test(value) && port <= 65_535) return port;
  throw new Error('PORT must be a number from 0 to 65535.');
}

async function startOwnPostgres(directory: string): Promise<PostgresServer> {
  const postgres = await startPostgres(directory);
  running.push(() => postgres.stop());
  return postgres;
}

function reasonOf(error: Error & { code?: string }): string {
  return (error.message || error.code || 'no reason given').split('\n')[0] ?? '';
}

let isStopping = false;
async function stop(code: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  for (const end of running.splice(0).reverse()) await end().catch((error) => console.error(reasonOf(error)));
  process.exit(code);
}

process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));
process.on('SIGHUP', () => void stop(0));

main().catch((error: Error) => {
  console.error(error.message);
  return stop(1);
});
