import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Loads the export that `module#Export` names. The module is a path (absolute, or relative to a directory and beginning
 * with a dot) or an installed package that `require` can resolve.
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
  const exports: Record<string, unknown> = await import(pathToFileURL(path).href).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : 'it throws a value that is not an Error';
    throw toError(`names the module ${specifier}, which cannot be loaded: ${reason}`);
  });
  if (!(name in exports)) {
    const exported = Object.keys(exports).join(', ') || 'nothing';
    throw toError(`names ${name || 'no export'}, but ${specifier} exports ${exported}`);
  }
  return { name, value: exports[name] };
}

function resolvePath(specifier: string, directory: string, toError: (message: string) => Error): string {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return resolve(directory, specifier);
  try {
    return createRequire(join(directory, 'package.json')).resolve(specifier);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'MODULE_NOT_FOUND' ? 'is not installed or has no such file' : `cannot be resolved: ${code}`;
    throw toError(`names the module ${specifier}, which ${reason}`);
  }
}
