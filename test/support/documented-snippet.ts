import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { transform } from 'esbuild';
import { blocks, files } from './manual.js';

const { exports: entryPoints } = JSON.parse(readFileSync('package.json', 'utf8'));

/** The exports of a file that a page of the manual shows. The file may import this library, Node and types. */
// biome-ignore lint/suspicious/noExplicitAny: a test knows what the file exports
export async function importSnippet(name: string): Promise<any> {
  const { text = '' } = files.find((each) => each.name === name) ?? {};
  const { code } = await transform(text, { loader: 'ts' });
  const built = code.replace(/(?<=from ")jwt-allauth((?:\/[\w-]+)*)(?=")/g, (_, part: string = '') =>
    String(pathToFileURL(entryPoints[`.${part}`].default)),
  );
  return import(`data:text/javascript,${encodeURIComponent(built)}`);
}

/** The one block of code in the manual that is in a language and contains a text. */
export function blockWith(language: string, part: string): string {
  const found = blocks.filter((each) => each.language === language && each.text.includes(part));
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${language} have "${part}"`);
  return found[0]?.text ?? '';
}
