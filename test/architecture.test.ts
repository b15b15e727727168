import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getMetadataArgsStorage } from 'routing-controllers';
import { Container, Service } from 'typedi';
import { describe, expect, test } from 'vitest';

const SRC = join(dirname(fileURLToPath(import.meta.url)), '../src');

/** Folders and single files, in the order of their dependencies: each may import only those before it, and itself. */
const LAYERS = [
  ['error', 'error-table', 'clock', 'loopback', 'service-maker', 'settings', 'observability', 'database', 'secrets'],
  ['users'],
  ['tokens'],
  ['limits'],
  ['dpop'],
  ['sessions'],
  ['mail'],
  ['sign-in'],
  ['authentication'],
  ['http'],
  ['kernel', 'module-command', 'module', 'client-calls'],
  ['features'],
  ['standard-modules', 'jwt-allauth', 'auth-server', 'auth-entities', 'auth-migrations', 'module-check', 'sweeps'],
  ['cli', 'index', 'module-kit', 'client', 'openapi'],
  ['testing'],
];

/** The entry points: what other packages import. */
const ENTRIES = [
  'client/index.ts',
  'features/passkeys/testing/index.ts',
  'features/social/testing/index.ts',
  'index.ts',
  'module-kit.ts',
  'openapi/index.ts',
  'testing/index.ts',
];

/** The features that an app names itself. Each is an entry point of the package. */
const { exports } = JSON.parse(readFileSync(join(SRC, '../package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
};
const optionalFeatures = Object.values(exports).flatMap((entry) => {
  const file = typeof entry === 'string' ? entry : entry.default;
  return /^\.\/dist\/src\/(features\/[^/]+)\//.exec(file)?.[1] ?? [];
});

const isFeatureIndex = (path: string) => /^features\/[^/]+\/index\.ts$/.test(path);
const isOptional = (path: string) => optionalFeatures.includes(partOf(path));

interface Import {
  /** `./x.js` or the name of a package. */
  readonly from: string;
  readonly isType: boolean;
  readonly isReExport: boolean;
}

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** The text without its comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

const IMPORT = /^(import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)';/gm;

const files: SourceFile[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8');
    const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
    const imports = [...code.matchAll(IMPORT)].map(([, keyword, type, from]) => ({
      from: from ?? '',
      isType: Boolean(type),
      isReExport: keyword === 'export',
    }));
    return { path, text, code, imports };
  });

/** The files of the library that a file imports. */
function importedBy({ path, imports }: SourceFile): string[] {
  const own = imports.filter(({ from }) => from.startsWith('.'));
  return own.map(({ from }) => relative(SRC, join(SRC, dirname(path), from)).replace(/\.js$/, '.ts'));
}

/** The part of a file: the folder of its feature, else its folder below `src`. A file in `src` itself is a part. */
const partOf = (path: string) => /^(features\/[^/]+|[^/]+?)(\/|\.ts$)/.exec(path)?.[1] ?? '';
const layerOf = (path: string) => LAYERS.findIndex((parts) => parts.includes(partOf(path).split('/')[0] ?? ''));

describe('the sources', () => {
  test('are all read, with all their imports', () => {
    expect(files.length).toBeGreaterThan(50);
    for (const { path, code, imports } of files) {
      const keywords = code.match(/^import\s|^export\s+(type\s+)?[{*][^;]*\sfrom\s/gm) ?? [];
      expect(imports, path).toHaveLength(keywords.length);
      expect(code, path).not.toMatch(/\brequire\(/);
    }
    const paths = new Set(files.map(({ path }) => path));
    for (const file of files) for (const path of importedBy(file)) expect(paths, file.path).toContain(path);
  });

  test('create errors only through the table of errors, which has the status of each', () => {
    const makers = files.filter(({ code }) => code.includes('new JwtAllauthError(')).map(({ path }) => path);
    expect(makers.toSorted()).toEqual(['error-table.ts', 'http/problem-details.ts']); // the second: errors of the app
  });

  test('open sessions only in sign-in/ and in the helpers for tests of an app', () => {
    const opening = /\bsessions\s*\.\s*open\b|\bsessionStore\s*\.\s*insert\b/;
    const openers = files.filter(({ code }) => opening.test(code)).map(({ path }) => path);
    expect(openers.toSorted()).toEqual([
      'sessions/session.service.ts',
      'sign-in/begun-sign-in.ts',
      'testing/signed-in.ts',
    ]);
  });

  test('declare every controller with the one decorator, and describe each of its actions', () => {
    const controllers = files.filter(({ path }) => path.endsWith('.controller.ts'));
    expect(controllers.length).toBeGreaterThan(10);
    for (const { path, code } of controllers) {
      expect(code.match(/@AuthController\(/g), path).toHaveLength(code.match(/^ *(export )?class /gm)?.length ?? 0);
      const actions = code.match(/@(Get|Post|Put|Patch|Delete|Head|All|Method)\(/g) ?? [];
      expect(code.match(/@DescribeRoute\(/g), path).toHaveLength(actions.length);
    }
    const makers = files.filter(({ code }) => /\b(Json)?Controller\(/.test(code)).map(({ path }) => path);
    expect(makers).toEqual(['http/auth-controller.decorator.ts']);
  });

  test('construct nothing with more than three positional parameters, except in the client, where bytes count', () => {
    for (const { path, code } of files) {
      if (partOf(path) === 'client') continue;
      for (const [, parameters = ''] of code.matchAll(/^ {2}(?:private )?constructor\(((?:.*\n)*?.*?)\) \{/gm)) {
        if (parameters.startsWith('{')) continue; // one object
        const lines = parameters.includes('\n') ? parameters.match(/^ {4}[^\s}].*[,{]$/gm) : parameters.split(', ');
        expect(lines?.length, `${path}: ${parameters}`).toBeLessThanOrEqual(3);
      }
    }
  });

  test('are in folders that have a place in the order of dependencies', () => {
    for (const { path } of files) expect(layerOf(path), path).toBeGreaterThanOrEqual(0);
  });

  test('import only folders that come before their own in the order of dependencies', () => {
    const against = files.flatMap((file) =>
      importedBy(file)
        .filter((path) => layerOf(path) > layerOf(file.path))
        .map((path) => `${file.path} imports ${path}`),
    );
    expect(against).toEqual([]);
  });

  test('of a feature import the kernel and their own folder, and no other feature', () => {
    const features = files.filter(({ path }) => path.startsWith('features/'));
    expect(new Set(features.map(({ path }) => partOf(path))).size).toBeGreaterThanOrEqual(10);
    const across = features.flatMap((file) =>
      importedBy(file)
        .filter((path) => path.startsWith('features/') && partOf(path) !== partOf(file.path))
        .map((path) => `${file.path} imports ${path}`),
    );
    expect(across).toEqual([]);
  });

  test('of a feature are composed by its module, which is in the list of standard modules or an entry point', () => {
    const folders = new Set(files.filter(({ path }) => path.startsWith('features/')).map(({ path }) => partOf(path)));
    const list = files.find(({ path }) => path === 'standard-modules.ts') as SourceFile;
    expect(optionalFeatures).toContain('features/totp');
    const standard = [...folders].filter((folder) => !optionalFeatures.includes(folder));
    const modules = standard.map((folder) => `${folder}/${folder.split('/')[1]}.module.ts`);
    expect(
      importedBy(list)
        .filter((path) => path.startsWith('features/'))
        .toSorted(),
    ).toEqual(modules.toSorted());
    for (const { path } of files.filter((file) => file.path.endsWith('.controller.ts')))
      expect(path).toMatch(/^features\//);
  });

  test('do not import the entry points of the package', () => {
    for (const file of files)
      for (const path of importedBy(file)) {
        expect(ENTRIES, file.path).not.toContain(path);
        if (isFeatureIndex(path)) expect([file.path, isOptional(path)]).toEqual(['index.ts', false]);
      }
  });

  test('have no circular imports, neither between files nor between folders', () => {
    const byFile = new Map(files.map((file) => [file.path, importedBy(file)]));
    const byFolder = new Map<string, string[]>();
    for (const [path, imported] of byFile) {
      const others = imported.map(partOf).filter((part) => part !== partOf(path));
      byFolder.set(partOf(path), [...(byFolder.get(partOf(path)) ?? []), ...others]);
    }
    expect(circleIn(byFile)).toEqual([]);
    expect(circleIn(byFolder)).toEqual([]);
  });

  test('import routing-controllers in few folders; the composition root imports only its types', () => {
    const users = files.filter(({ imports }) => imports.some(({ from }) => from === 'routing-controllers'));
    const outside = users.filter(
      ({ path }) =>
        !['http', 'authentication', 'openapi', 'testing'].includes(partOf(path)) && !path.endsWith('.controller.ts'),
    );
    expect(users.length).toBeGreaterThan(outside.length);
    expect(outside.map(({ path }) => path)).toEqual(['auth-server.ts', 'jwt-allauth.ts']);
    const types = outside.flatMap(({ imports }) => imports).filter(({ from }) => from === 'routing-controllers');
    expect(types.every(({ isType }) => isType)).toBe(true);
  });

  test('load the mail client and the word lists with import(), so that a start does not wait for them', () => {
    const late = ['nodemailer', '@zxcvbn-ts/core', '@zxcvbn-ts/language-common'];
    for (const name of late) {
      const loaded = files.filter(({ code }) => code.includes(`import('${name}')`));
      expect(loaded, name).toHaveLength(1);
      const early = files.filter(({ imports }) => imports.some(({ from, isType }) => from === name && !isType));
      expect(early, name).toEqual([]);
    }
  });

  test('re-export in entry points only, and by name, except `export *` of the index of a feature', () => {
    const reExporting = files.filter(({ imports }) => imports.some(({ isReExport }) => isReExport));
    const paths = reExporting.map(({ path }) => path);
    expect(paths.filter((path) => !isFeatureIndex(path)).sort()).toEqual(ENTRIES);
    const indexes = paths.filter((path) => isFeatureIndex(path) && !isOptional(path));
    const stars = indexes.map((path) => `export * from './${path.replace(/ts$/, 'js')}';`);
    for (const { path, code } of reExporting) {
      const named = path === 'index.ts' ? stars.reduce((rest, star) => rest.replace(star, ''), code) : code;
      expect(named, path).not.toMatch(/export\s+\*|export\s+default|^(?!export|})\S/m);
      if (path === 'index.ts') for (const star of stars) expect(code).toContain(star);
    }
    for (const { path, code } of files) expect(code, path).not.toMatch(/export default/);
  });

  test('for browsers import only types from other folders', () => {
    const client = /^\.\/[\w-]+\.js$|^\.\.\/features\/[\w-]+\/[\w-]+\.client\.js$/;
    const parts = files.filter(({ path }) => partOf(path) === 'client' || path.endsWith('.client.ts'));
    expect(new Set(parts.map(({ path }) => partOf(path))).size).toBeGreaterThan(5);
    for (const { path, imports } of parts)
      for (const { from, isType, isReExport } of imports)
        if (!isType && !isReExport) expect(from, path).toMatch(client);
  });

  test('have precise names with a known suffix', () => {
    const vague = /(^|[/.-])(utils?|helpers?|common|shared|misc|types?|constants?)([/.-]|$)/;
    for (const { path } of files) {
      expect(path).not.toMatch(vague);
      expect(path).toMatch(
        /^([a-z0-9-]+\/)*[a-z0-9-]+(\.(module|settings|entity|migration|service|controller|input|decorator|middleware|mails|client))?\.ts$/,
      );
    }
  });

  test('export at most one class, and are named .service exactly if the name of the class ends in Service', () => {
    for (const { path, code } of files) {
      const classes = [...code.matchAll(/^export (?:abstract )?class (\w+)/gm)].map(([, name = '']) => name);
      expect(classes.length, path).toBeLessThanOrEqual(1);
      if (path.endsWith('.service.ts')) expect(classes, path).toEqual([expect.stringMatching(/Service$/)]);
      else
        expect(
          classes.filter((name) => name.endsWith('Service')),
          path,
        ).toEqual([]);
    }
  });

  test('have at most 300 lines each', () => {
    for (const { path, code } of files) expect(code.split('\n').length, path).toBeLessThanOrEqual(300);
  });

  test('have no line over 120 columns, in comments and templates as well, which no formatter wraps', () => {
    const long = files.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, at) => (line.length > 120 ? [`${path}:${at + 1}`] : [])),
    );
    expect(long).toEqual([]);
  });

  test('get their settings from the app and never from the process', () => {
    for (const { path, code } of files.filter((file) => !['cli', 'testing'].includes(partOf(file.path))))
      expect(code, path).not.toMatch(/process\s*\.\s*env|process\[|\{[^}]*\benv\b[^}]*\}\s*=\s*process/);
  });

  test('only inject classes that exist at run time', () => {
    for (const { path, code } of files) {
      const typed = [...code.matchAll(/^import type \{([^}]*)\}/gm)].flatMap(([, names = '']) => names.split(/[\s,]+/));
      const injected = [...code.matchAll(/@CurrentUser\([^)]*\) \w+\??: (\w+)/g)].map(([, type]) => type);
      for (const type of injected) expect(typed, path).not.toContain(type);
    }
  });
});

describe('importing the library', () => {
  test('registers nothing, neither a controller nor a service', async () => {
    const controllers = () => Object.entries(getMetadataArgsStorage()).map(([kind, list]) => [kind, list.length]);
    const services = () => (Container.of() as unknown as { services: unknown[] }).services.length;
    const before = [controllers(), services()];
    expect(services()).toEqual(expect.any(Number));
    await Promise.all([
      import('../src/index.js'),
      import('../src/module-kit.js'),
      import('../src/openapi/index.js'),
      import('../src/testing/index.js'),
    ]);
    expect([controllers(), services()]).toEqual(before);
    expect(controllers().every(([, count]) => count === 0)).toBe(true);
  });
});

describe('the compiler of the tests', () => {
  test('emits decorator metadata, which injection and validation need', () => {
    class Dependency {}
    @Service()
    class Dependent {
      constructor(readonly dependency: Dependency) {}
    }
    expect(Reflect.getMetadata('design:paramtypes', Dependent)).toEqual([Dependency]);
    Container.reset();
  });
});

/** The members of the first circle that is found. Empty: no circle was found. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): string[] => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return [];
    for (const next of graph.get(node) ?? []) {
      const circle = visit(next, [...path, node]);
      if (circle.length > 0) return circle;
    }
    done.add(node);
    return [];
  };
  for (const node of graph.keys()) {
    const circle = visit(node, []);
    if (circle.length > 0) return circle;
  }
  return [];
}
