/**
 * Why decryption failed: this server has no key with the id in the sealed text, or the text was changed or is bound to
 * another value.
 */
export type UnsealErrorCode = 'sealed_with_unknown_key' | 'sealed_text_damaged';

/** A sealed text cannot be decrypted. With an unknown key, another server may still decrypt it, or this one later. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError';

  constructor(
    readonly code: UnsealErrorCode,
    options?: ErrorOptions,
  ) {
    super(code === 'sealed_text_damaged' ? 'is damaged' : 'was sealed with a key that is not set here', options);
  }
}
