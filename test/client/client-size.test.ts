import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const page = readFileSync('docs/browser-client.md', 'utf8');
const { exports: entryPoints } = JSON.parse(readFileSync('package.json', 'utf8'));

/** The source of an entry point. */
const sourceOf = (entry: string) =>
  `./${entryPoints[entry.replace('jwt-allauth', '.')].default}`.replace('/./dist/', '/').replace(/js$/, 'ts');

/**
 * Bundles all exports of these entry points. Returns the bytes of what a page loads at once, minified and gzipped, those
 * of what it loads later, and all source files.
 */
async function bundle(...entries: string[]) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: entries.map((each) => `export * from '${sourceOf(each)}';`).join('\n'), resolveDir: '.' },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    splitting: true,
    outdir: 'bundle',
    metafile: true,
    write: false,
  });
  const sizes = new Map(
    outputFiles.map(({ path, contents }) => [relative('.', path), gzipSync(contents, { level: 9 }).length]),
  );
  const entry = Object.keys(metafile.outputs).find((path) => metafile.outputs[path]?.entryPoint === '<stdin>') ?? '';
  const atOnce = (path: string): string[] => [
    path,
    ...(metafile.outputs[path]?.imports ?? [])
      .filter(({ kind }) => kind === 'import-statement')
      .flatMap((each) => atOnce(each.path)),
  ];
  const sum = (paths: Iterable<string>) => [...paths].reduce((total, path) => total + (sizes.get(path) ?? 0), 0);
  const bytes = sum(new Set(atOnce(entry)));
  const files = Object.keys(metafile.inputs).filter((path) => path !== '<stdin>');
  return { bytes, laterBytes: sum(sizes.keys()) - bytes, files };
}

const CORE = 'jwt-allauth/client';
const PARTS = /^src\/(client\/|features\/[\w-]+\/[\w-]+\.client\.ts$)/;

test('the client has the documented size, less than 4,096 bytes minified and gzipped, and bundles nothing else', async () => {
  const { bytes, laterBytes, files } = await bundle(CORE);
  console.log(`${CORE}: ${bytes} bytes, and ${laterBytes} for bound sessions`);
  const [, documented, later] = /`jwt-allauth\/client` has ([\d.]+) kB.*?another ([\d.]+) kB/s.exec(page) ?? [];
  expect([bytes, laterBytes].map((size) => (size / 1000).toFixed(1))).toEqual([documented, later]);
  expect(bytes).toBeLessThan(4096);
  for (const path of files) expect(path).toMatch(PARTS);
});

const added = [...page.matchAll(/^\| `(jwt-allauth\/[\w/-]+)` \|.*\| ([\d.]+) kB \|$/gm)].map(([, ...cells]) => cells);

test.each(added)('%s adds %s kB to it, as the page says, and no part of the server', async (entry = '', size) => {
  const [core, both] = [await bundle(CORE), await bundle(CORE, entry)];
  expect(((both.bytes - core.bytes) / 1000).toFixed(1)).toBe(size);
  expect(both.files.length).toBeGreaterThan(core.files.length);
  for (const path of both.files) expect(path).toMatch(PARTS);
});

test('the page has the size of every entry point for browsers', () => {
  const forBrowsers = Object.keys(entryPoints).filter((path) => /client/.test(path) && path !== './client');
  expect(added.map(([entry]) => entry?.replace('jwt-allauth', '.')).sort()).toEqual(forBrowsers.sort());
});
