/** The encryption key of the tests: 32 bytes in base64url. */
export const ENCRYPTION_KEY = 'JixiVWalXZEJFwL-UgLaDpuUq_6SXECyjmFn5SjYPZE';
