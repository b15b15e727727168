/** The part of routing-controllers' metadata that says what a decorator stands on. */
interface DecoratorPlace {
  readonly target: unknown;
  /** The name of the action. A decorator of the controller has none. */
  readonly method?: string;
}

/** A predicate for the decorators that apply to an action: its own, and those of its controller. */
export function appliesTo(controller: unknown, action: string): (decorator: DecoratorPlace) => boolean {
  return ({ target, method }) => target === controller && (method === undefined || method === action);
}
