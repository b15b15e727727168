import { getMetadataArgsStorage } from 'routing-controllers';
import { getFullPath, type IRoute, parseRoutes } from 'routing-controllers-openapi';
import { isTypeClass, type TypeClass } from './known-schemas.js';

/** A route of the app for the document. */
export interface AppRoute {
  readonly route: IRoute;
  readonly path: string;
  readonly method: string;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** The methods that document an `@All` route. */
const ALL_METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * The routes of these controllers. Regular expressions and wildcards are left out, because an OpenAPI path cannot
 * express them.
 */
export function appRoutes(controllers: readonly unknown[], options: IRoute['options']): AppRoute[] {
  return parseRoutes(getMetadataArgsStorage(), options)
    .filter(
      ({ action, controller }) => controller && controllers.includes(action.target) && isExpressible(action.route),
    )
    .flatMap((route) => {
      const path = getFullPath(route).replace(/(?<=.)\/+$/, '');
      const methods =
        route.action.type === 'all' ? ALL_METHODS : [route.action.type].filter((type) => METHODS.includes(type));
      return methods.map((method) => ({ route: withoutUntypedQueries(route), path, method }));
    });
}

/** The classes that are parameter types of a route. */
export function typesOf({ params }: IRoute): TypeClass[] {
  const documented = params.filter(({ type }) => DOCUMENTED_KINDS.includes(type));
  return documented.map((param) => param.explicitType ?? reflectedType(param)).filter(isTypeClass);
}

/** Parameter kinds that the document shows. */
const DOCUMENTED_KINDS = ['header', 'headers', 'param', 'query', 'queries', 'body', 'body-param'];

function reflectedType({ object, method, index }: IRoute['params'][number]): unknown {
  return Reflect.getMetadata('design:paramtypes', object, method)?.[index];
}

const isExpressible = (route: unknown) => route === undefined || (typeof route === 'string' && !/[*{}]/.test(route));

/** Leaves out `@QueryParams()` without a class: its fields are unknown, and the generator fails on it. */
function withoutUntypedQueries(route: IRoute): IRoute {
  const isUntyped = (param: IRoute['params'][number]) =>
    param.type === 'queries' && !isTypeClass(param.explicitType ?? reflectedType(param));
  return { ...route, params: route.params.filter((param) => !isUntyped(param)) };
}
