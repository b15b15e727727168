import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Loads the export that `module#Export` names. The module is a path (absolute, or relative to a directory and beginning
 * with a dot) or an installed package.
 *
 * @param fault makes the error from a message such as `names the module …`
 * @throws the error that `fault` makes
 */
export async function loadExport(
  reference: string,
  directory: string,
  fault: (message: string) => Error,
): Promise<{ readonly name: string; readonly value: unknown }> {
  const [specifier = '', name = ''] = reference.split(/#(?=[^#]*$)/);
  const url = urlOf(specifier, directory);
  if (!url) throw fault(`names the module ${specifier}, which is not installed`);
  const found: Record<string, unknown> = await import(url).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : 'it throws a value that is not an Error';
    throw fault(`names the module ${specifier}, which cannot be loaded: ${reason}`);
  });
  if (!(name in found)) {
    const exported = Object.keys(found).join(', ') || 'nothing';
    throw fault(`names ${name}, but ${specifier} exports ${exported}`);
  }
  return { name, value: found[name] };
}

function urlOf(specifier: string, directory: string): string | undefined {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return pathToFileURL(resolve(directory, specifier)).href;
  try {
    return pathToFileURL(createRequire(join(directory, 'package.json')).resolve(specifier)).href;
  } catch {
    return undefined;
  }
}
