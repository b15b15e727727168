/**
 * Options of our controllers: bodies come in and go out as they are, whatever the app's class-transformer is told.
 * Inputs are made by `validateInput`.
 */
export const untransformed = { transformRequest: false, transformResponse: false } as const;
