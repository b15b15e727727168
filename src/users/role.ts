/** The roles that the library defines. An app can use further numbers. */
export const Role = {
  USER: 0,
  SUPERUSER: 900,
  STAFF: 1000,
} as const;
