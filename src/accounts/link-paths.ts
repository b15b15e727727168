/** Paths of mailed links below the prefix, without their keys. */
export const LINK_PATHS = {
  confirmation: '/registration/verification',
  passwordReset: '/password/reset/confirm',
  emailUndo: '/email/undo',
  invitation: '/registration/set-password',
} as const;
