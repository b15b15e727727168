import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('the client has the documented size, less than 4,096 bytes minified and gzipped, and bundles nothing else', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/client/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    metafile: true,
    write: false,
  });
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
  console.log(`jwt-allauth/client: ${bytes} bytes`);
  const [, documented] =
    /`jwt-allauth\/client` has ([\d.]+) kB/.exec(await readFile('docs/browser-client.md', 'utf8')) ?? [];
  expect((bytes / 1000).toFixed(1)).toBe(documented);
  expect(bytes).toBeLessThan(4096);
  for (const path of Object.keys(metafile.inputs))
    expect(path).toMatch(/^src\/(client\/|features\/[\w-]+\/[\w-]+\.client\.ts$)/);
});
