import { Optional, Password } from './field.decorator.js';

/** The body that carries the refresh token where no cookie does. */
export class RefreshInput {
  @Optional()
  @Password()
  refresh?: string;
}
