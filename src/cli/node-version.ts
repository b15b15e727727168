/** The oldest version of Node that can run the library, as in `engines` of package.json. */
export const OLDEST_NODE = '22.17';

/**
 * Why this version of Node cannot run the library. Undefined if it can. Imports nothing: an older Node fails at the
 * imports of the library, with a message that names no version.
 *
 * @param version such as `22.17.0`
 */
export function nodeVersionFault(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split('.').map(Number);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `it needs Node.js ${OLDEST_NODE} or newer, and this is ${version}`;
}
