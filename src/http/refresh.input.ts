import { Optional, Password } from './field.decorator.js';

export class RefreshInput {
  @Optional()
  @Password()
  refresh?: string;
}
