import { globSync, readFileSync } from 'node:fs';

/** What people read in the root folder. */
const ROOT_PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md'];

/** The README, the other pages next to it and those of `docs/`: path to text. */
export const pages: ReadonlyMap<string, string> = new Map(
  [...ROOT_PAGES, ...globSync('docs/*.md').sort()].map((path) => [path, readFileSync(path, 'utf8')]),
);

/** All of them in one text. */
export const manual = [...pages.values()].join('\n');

/** A block of code. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The blocks of code in all pages. */
export const blocks = blocksIn(manual);

/** The blocks of one language in a page of `docs/`, in their order. */
export function blocksOf(page: string, language: string): string[] {
  const found = blocksIn(pages.get(`docs/${page}.md`) ?? '').filter((block) => block.language === language);
  return found.map(({ text }) => text);
}

/** The cells of each table row on a page of `docs/` whose first cell is code. */
export function rowsOf(page: string): string[][] {
  const rows = (pages.get(`docs/${page}.md`) ?? '').match(/^\| `.*\|$/gm) ?? [];
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function blocksIn(text: string): Block[] {
  return [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language = '', code = '']) => ({
    language,
    text: code,
  }));
}

/** A file that the manual shows. */
interface ManualFile {
  readonly name: string;
  readonly text: string;
}

/** The blocks that begin with the name of a file, as files. */
const whole: readonly ManualFile[] = blocks.flatMap(({ text }) => {
  const [, name] = /^\/\/ (\S+)\n/.exec(text) ?? [];
  return name ? [{ name, text: text.replace(/^.*\n/, name.endsWith('.json') ? '' : '$&') }] : [];
});

/** The blocks that show changed lines of a file, as changed copies of it: `src/main-1.ts` and so on. */
const changed: readonly ManualFile[] = blocks.flatMap(({ text }, index) => {
  const [, name = '', lines = ''] = /^\/\/ in (\S+)\n([\s\S]*)/.exec(text) ?? [];
  const original = whole.find((file) => file.name === name)?.text;
  return original ? [{ name: name.replace('.ts', `-${index}.ts`), text: changeLines(original, lines) }] : [];
});

/** All files of the manual. */
export const files = [...whole, ...changed];

/** Adds the imports among `lines`, and replaces the lines that declare the same constants. */
function changeLines(original: string, lines: string): string {
  return lines
    .trim()
    .split('\n')
    .reduce((text, line) => {
      const [declaration] = /^const \w+ = /.exec(line) ?? [];
      if (!declaration) return `${line}\n${text}`;
      const before = text.split('\n').find((each) => each.startsWith(declaration));
      if (!before) throw new Error(`no line begins with ${declaration}`);
      return text.replace(before, line);
    }, original);
}
