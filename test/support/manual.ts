import { globSync, readFileSync } from 'node:fs';

/** The README and the pages of `docs/`: path to text. */
export const pages: ReadonlyMap<string, string> = new Map(
  ['README.md', ...globSync('docs/*.md').sort()].map((path) => [path, readFileSync(path, 'utf8')]),
);

/** All of them in one text. */
export const manual = [...pages.values()].join('\n');

/** The blocks of code in all pages. */
export const blocks = [...manual.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language = '', text = '']) => ({
  language,
  text,
}));

/** The blocks that begin with the name of a file are that file. */
export const files = blocks.flatMap(({ text }) => {
  const [, name] = /^\/\/ (\S+)\n/.exec(text) ?? [];
  return name ? [{ name, text: text.replace(/^.*\n/, name.endsWith('.json') ? '' : '$&') }] : [];
});
