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
  /** Whether only the owner may read the file. */
  readonly isSecret: boolean;
}

/** Adds the command `generate-keys`. */
export function addGenerateKeys(program: Command): void {
  program
    .command('generate-keys')
    .description(
      'Creates a key pair or a secret, and an encryption key; writes them to files and prints their variables.',
    )
    .addOption(new Option('--algorithm <name>', 'signing algorithm').choices(ALGORITHMS).default('ES256'))
    .option('--out <folder>', 'folder for the files; git ignores it if the command creates it', 'keys')
    .option('--force', 'overwrite the files of the signing key: tokens signed with the old key become invalid')
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
  await createFolder(out);
  const encryption: KeyFile = { path: pathOf('encryption-key'), text: generateEncryptionKey(), isSecret: true };
  // Not even --force replaces this file, because everything encrypted with its key would be lost.
  const isKept = (await lstat(encryption.path).catch(() => undefined)) !== undefined;
  if (!isKept) files.push(encryption);
  await write(files, force === true);
  const [{ path }] = files as [KeyFile];
  const variable =
    'secret' in signing
      ? `JWT_ALLAUTH_SECRET_KEY="$(cat ${quote(path)})"`
      : `JWT_ALLAUTH_PRIVATE_KEY_FILE=${quote(path)}`;
  for (const file of files)
    process.stderr.write(`wrote ${file.path}${file.isSecret ? ', readable by its owner only' : ''}\n`);
  if (isKept) process.stderr.write(`kept ${encryption.path}, which already exists\n`);
  const keys = `JWT_ALLAUTH_ENCRYPTION_KEYS="$(cat ${quote(encryption.path)})"`;
  process.stdout.write(`JWT_ALLAUTH_ALGORITHM=${algorithm}\n${variable}\n${keys}\n`);
}

/** Creates the folder, unless it exists, with a file that makes git ignore all that is in it. */
async function createFolder(path: string): Promise<void> {
  try {
    const created = await mkdir(path, { recursive: true });
    if (created !== undefined) await writeFile(join(path, '.gitignore'), '*\n');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? errorReason(error);
    throw new CommandError(`${resolve(path)} cannot be created as a folder: ${reason}`);
  }
}

/** Writes all files, first under temporary names. If one of these cannot be written, the existing files stay. */
async function write(files: readonly KeyFile[], isForced: boolean): Promise<void> {
  const temporary = files.map((file) => ({ ...file, newPath: `${file.path}.new` }));
  try {
    for (const { path } of files) await assertReplaceable(path, isForced);
    for (const { newPath, text, isSecret } of temporary) {
      await rm(newPath, { force: true });
      await writeFile(newPath, text, { mode: isSecret ? 0o600 : 0o644, flag: 'wx' });
    }
    for (const { newPath, path } of temporary) await rename(newPath, path);
  } catch (error) {
    for (const { newPath } of temporary) await rm(newPath, { force: true });
    throw toCommandError(error as NodeJS.ErrnoException);
  }
}

/** @throws EEXIST if the file exists and must be kept, EISDIR if it is a folder */
async function assertReplaceable(path: string, isForced: boolean): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found && !isForced) throw Object.assign(new Error(), { code: 'EEXIST', path });
  if (found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR', path });
}

function toCommandError(error: NodeJS.ErrnoException): CommandError {
  if (error.code === 'EEXIST') return new CommandError(`${error.path} already exists; --force overwrites it`);
  return new CommandError(`${error.path} cannot be written: ${error.code ?? errorReason(error)}`);
}

/** Quotes a path for a shell. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
