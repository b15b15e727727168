import { type Command, InvalidArgumentError } from 'commander';
import type { PurgeResult } from '../database/purge.service.js';
import { addProjectOptions, type ProjectOptions, withProject } from './project.js';

/** Time between two progress messages, in milliseconds. */
const PROGRESS_INTERVAL_MS = 1000;

interface Options extends ProjectOptions {
  readonly dryRun?: boolean;
  readonly batchSize: number;
}

/** Adds the command `purge`. */
export function addPurge(program: Command): void {
  const command = program
    .command('purge')
    .description(
      'Deletes what has expired: sessions, revocations, counters of limits, keys of mailed links, unsent mails, ' +
        'unconfirmed sign-ups, challenges, and rows of the modules of the app. The app can keep running.',
    )
    .option('--dry-run', 'only count what would be deleted')
    .option('--batch-size <rows>', 'maximum number of rows per statement', parseRows, 1000);
  addProjectOptions(command).action(run);
}

async function run({ dryRun, batchSize, ...project }: Options): Promise<void> {
  const onProgress = progressPrinter();
  const result = await withProject(project, ({ auth }) => auth.purge.run({ dryRun, batchSize, onProgress }));
  const verb = dryRun ? 'would be deleted' : 'deleted';
  for (const [name, count] of Object.entries(result)) process.stdout.write(`${inWords(name)}: ${count} ${verb}\n`);
}

/** Makes a callback that prints the progress of a long run, at most once per interval. */
function progressPrinter(): (soFar: PurgeResult) => void {
  let last = performance.now();
  return (soFar) => {
    if (performance.now() - last < PROGRESS_INTERVAL_MS) return;
    last = performance.now();
    const counts = Object.entries(soFar).map(([name, count]) => `${inWords(name)} ${count}`);
    process.stderr.write(`deleted so far: ${counts.join(', ')}\n`);
  };
}

/** The name of a count in `PurgeResult`, such as `oneTimeKeys`, as separate words. */
function inWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function parseRows(text: string): number {
  const rows = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (rows < 1) throw new InvalidArgumentError('It must be a whole number, at least 1.');
  return rows;
}
