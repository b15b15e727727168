/**
 * Why this version of Node cannot run the library. Undefined if it can. Imports nothing: an older Node fails at the
 * imports of the library, with a message that names no version.
 *
 * @param version such as `22.17.0`
 * @param engines the range of package.json, such as `>=22.17`
 */
export function nodeVersionFault(version: string, engines: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = engines.replace('>=', '').split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `it needs Node.js ${neededMajor}.${neededMinor} or newer, and this is ${version}`;
}
