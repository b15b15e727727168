import type { NewPasskey } from './passkey-store.js';

/** The name of the work that adds the passkey of a confirmed sign-up (`ModuleParts.completions`). */
export const COMPLETION = 'passkey';

/** The data for the work: the passkey, as JSON can represent it. */
export function dataOf({ publicKey, ...passkey }: NewPasskey): Readonly<Record<string, unknown>> {
  return { ...passkey, publicKey: Buffer.from(publicKey).toString('base64url') };
}

/** The passkey in the data that `dataOf` has made. */
export function passkeyIn(data: Readonly<Record<string, unknown>>): NewPasskey {
  const { publicKey, ...passkey } = data as Omit<NewPasskey, 'publicKey'> & { readonly publicKey: string };
  return { ...passkey, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')) };
}
