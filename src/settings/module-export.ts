import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { constants, Script } from 'node:vm';

/**
 * Loads the export that `module#Export` names. The module is a path (absolute, or relative to a directory and beginning
 * with a dot) or an installed package, which may be for `import` only.
 *
 * @param toError makes the error from a message such as `names the module …`
 * @throws the error that `toError` makes
 */
export async function loadExport(
  reference: string,
  directory: string,
  toError: (message: string) => Error,
): Promise<{ readonly name: string; readonly value: unknown }> {
  const [specifier = '', name = ''] = reference.split(/#(?=[^#]*$)/);
  const path = resolvePath(specifier, directory, toError);
  const loading = path === undefined ? importFrom(directory, specifier) : import(pathToFileURL(path).href);
  const exports: Record<string, unknown> = await loading.catch((error: unknown) => {
    if (path === undefined && codeOf(error) === NOT_EXPORTED)
      throw toError(`names the module ${specifier}, which cannot be resolved: ${NOT_EXPORTED}`);
    const reason = error instanceof Error ? error.message : 'it throws a value that is not an Error';
    throw toError(`names the module ${specifier}, which cannot be loaded: ${reason}`);
  });
  if (!(name in exports)) {
    const exported = Object.keys(exports).join(', ') || 'nothing';
    throw toError(`names ${name || 'no export'}, but ${specifier} exports ${exported}`);
  }
  return { name, value: exports[name] };
}

/** The error code of Node for a path that a package does not export, or only under other conditions. */
const NOT_EXPORTED = 'ERR_PACKAGE_PATH_NOT_EXPORTED';

/** The path of a module. Undefined: its package has nothing for `require`. */
function resolvePath(specifier: string, directory: string, toError: (message: string) => Error): string | undefined {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return resolve(directory, specifier);
  try {
    return createRequire(join(directory, 'package.json')).resolve(specifier);
  } catch (error) {
    const code = codeOf(error);
    if (code === NOT_EXPORTED) return undefined;
    const reason = code === 'MODULE_NOT_FOUND' ? 'is not installed or has no such file' : `cannot be resolved: ${code}`;
    throw toError(`names the module ${specifier}, which ${reason}`);
  }
}

/** Imports a package as a module in this directory would. `import.meta.resolve` knows only the library's own place. */
function importFrom(directory: string, specifier: string): Promise<Record<string, unknown>> {
  const script = new Script('(specifier) => import(specifier)', {
    filename: join(directory, 'package.json'),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return script.runInThisContext()(specifier);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
