/**
 * Options of our controllers: bodies come in and go out as they are, whatever options the app gives class-transformer.
 * Inputs are made by `validateInput`.
 */
export const untransformed = { transformRequest: false, transformResponse: false } as const;
