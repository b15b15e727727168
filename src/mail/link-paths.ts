/** The paths of mailed links, without the prefix and the key. */
export const LINK_PATHS = {
  confirmation: '/registration/verification',
  passwordReset: '/password/reset/confirm',
  emailUndo: '/email/undo',
  /** Not mailed: `emailUndo` redirects to it. */
  emailUndoForm: '/email/undo-form',
  invitation: '/registration/set-password',
} as const;
