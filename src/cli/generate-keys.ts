import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { ALGORITHMS, type Algorithm } from '../settings/algorithm.js';
import { generateEncryptionKey, generateKeys } from '../tokens/generate-keys.js';
import { CommandError } from './command-error.js';
import { errorReason } from './error-messages.js';

interface Options {
  readonly algorithm: Algorithm;
  readonly out: string;
  readonly force?: boolean;
}

interface KeyFile {
  readonly path: string;
  readonly text: string;
  /** Whether only its owner may read it. */
  readonly isSecret: boolean;
}

/** Adds `generate-keys`. */
export function addGenerateKeys(program: Command): void {
  program
    .command('generate-keys')
    .description(
      'Makes a key pair or a secret, and an encryption key; writes them to files and prints their variables.',
    )
    .addOption(new Option('--algorithm <name>', 'what it signs with').choices(ALGORITHMS).default('ES256'))
    .option('--out <folder>', 'where the files go', '.')
    .option('--force', 'overwrite files that are there: every token of their key stops verifying')
    .action(run);
}

async function run({ algorithm, out, force }: Options): Promise<void> {
  const signing = await generateKeys(algorithm);
  const pathOf = (name: string) => resolve(join(out, name));
  const files: KeyFile[] =
    'secret' in signing
      ? [{ path: pathOf('secret-key'), text: signing.secret, isSecret: true }]
      : [
          { path: pathOf('private-key.pem'), text: signing.privateKey, isSecret: true },
          { path: pathOf('public-key.pem'), text: signing.publicKey, isSecret: false },
        ];
  await mkdir(out, { recursive: true }).catch((error) => {
    throw new CommandError(`${resolve(out)} cannot be made a folder: ${error.code ?? errorReason(error)}`);
  });
  const encryption: KeyFile = { path: pathOf('encryption-key'), text: generateEncryptionKey(), isSecret: true };
  // What it has sealed would be lost with it, so that not even --force makes another.
  const isKept = (await lstat(encryption.path).catch(() => undefined)) !== undefined;
  if (!isKept) files.push(encryption);
  await write(files, force === true);
  const [{ path }] = files as [KeyFile];
  const variable =
    'secret' in signing
      ? `JWT_ALLAUTH_SECRET_KEY="$(cat ${quote(path)})"`
      : `JWT_ALLAUTH_PRIVATE_KEY_FILE=${quote(path)}`;
  for (const file of files) process.stderr.write(`wrote ${file.path}${file.isSecret ? ', for its owner only' : ''}\n`);
  if (isKept) process.stderr.write(`kept ${encryption.path}, which was there already\n`);
  const keys = `JWT_ALLAUTH_ENCRYPTION_KEYS="$(cat ${quote(encryption.path)})"`;
  process.stdout.write(`JWT_ALLAUTH_ALGORITHM=${algorithm}\n${variable}\n${keys}\n`);
}

/** Writes all files, or where that cannot be done none, and leaves what was there. */
async function write(files: readonly KeyFile[], isForced: boolean): Promise<void> {
  const fresh = files.map((file) => ({ ...file, whole: `${file.path}.new` }));
  try {
    for (const { path } of files) await assertReplaceable(path, isForced);
    for (const { whole, text, isSecret } of fresh) {
      await rm(whole, { force: true });
      await writeFile(whole, text, { mode: isSecret ? 0o600 : 0o644, flag: 'wx' });
    }
    for (const { whole, path } of fresh) await rename(whole, path);
  } catch (error) {
    for (const { whole } of fresh) await rm(whole, { force: true });
    throw refusal(error as NodeJS.ErrnoException);
  }
}

/** @throws EEXIST where something is that must stay, EISDIR where it is a folder */
async function assertReplaceable(path: string, isForced: boolean): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found && !isForced) throw Object.assign(new Error(), { code: 'EEXIST', path });
  if (found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR', path });
}

function refusal(error: NodeJS.ErrnoException): CommandError {
  if (error.code === 'EEXIST') return new CommandError(`${error.path} is there already; --force overwrites it`);
  return new CommandError(`${error.path} cannot be written: ${error.code ?? errorReason(error)}`);
}

/** A path as a shell reads it. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
