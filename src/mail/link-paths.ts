/** Paths of mailed links below the prefix, without their keys. */
export const LINK_PATHS = {
  confirmation: '/registration/verification',
  passwordReset: '/password/reset/confirm',
  emailUndo: '/email/undo',
  /** Not a mailed one: that leads here. */
  emailUndoForm: '/email/undo-form',
  invitation: '/registration/set-password',
} as const;
