import { createRequire } from 'node:module';

/**
 * Resolves a package from the module `from`. A package that only another package depends on must be resolved from that
 * package, because strict package managers do not make it visible elsewhere.
 *
 * @returns the file of the package; undefined if it is not installed
 */
export function resolveFrom(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch (error) {
    if ((error as { code?: string }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
