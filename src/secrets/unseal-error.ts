/** Why decryption failed: this server has no key with that id, or the sealed text was changed. */
export type UnsealErrorCode = 'sealed_with_unknown_key' | 'sealed_text_damaged';

/** A sealed text cannot be decrypted. With an unknown key, another server or a later setting may still decrypt it. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError';

  constructor(
    readonly code: UnsealErrorCode,
    options?: ErrorOptions,
  ) {
    super(code === 'sealed_text_damaged' ? 'is damaged' : 'was sealed with a key that is not set here', options);
  }
}
