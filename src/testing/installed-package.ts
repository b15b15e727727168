import { createRequire } from 'node:module';

/**
 * The file that the name of a package stands for in the module `from`. What only another package depends on is found by
 * asking in that package's name: a strict package manager shows it to nobody else.
 *
 * @returns undefined when it is not installed
 */
export function resolveFrom(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch (error) {
    if ((error as { code?: string }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
