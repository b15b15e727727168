/** The roles that this library knows. An app adds its own numbers beside them. */
export const Role = {
  USER: 0,
  SUPERUSER: 900,
  STAFF: 1000,
} as const;
