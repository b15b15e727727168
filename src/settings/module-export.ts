import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * What `module#Export` names, the module resolved from a directory: a path that begins with a dot or is absolute, or an
 * installed package.
 *
 * @param fault makes the error of a sentence that says what was found instead, such as `names the module …`
 * @throws what `fault` makes
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
    const reason = error instanceof Error ? error.message : 'it throws something that is no error';
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
