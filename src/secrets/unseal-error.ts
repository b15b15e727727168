/** Why a sealed text cannot be opened: no key of this server has its id, or it is not what was sealed. */
export type UnsealErrorCode = 'sealed_with_unknown_key' | 'sealed_text_damaged';

/** A sealed text cannot be opened. With an unknown key another server, or a later setting, may still open it. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError';

  constructor(
    readonly code: UnsealErrorCode,
    options?: ErrorOptions,
  ) {
    super(code === 'sealed_text_damaged' ? 'is damaged' : 'was sealed with a key that is not in use here', options);
  }
}
