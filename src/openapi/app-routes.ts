import { getMetadataArgsStorage } from 'routing-controllers';
import { getFullPath, type IRoute, parseRoutes } from 'routing-controllers-openapi';
import { isTypeClass, type TypeClass } from './known-schemas.js';

/** A route of the app, as a document has it. */
export interface AppRoute {
  readonly route: IRoute;
  readonly path: string;
  readonly method: string;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** What an `@All` route is told of as. */
const ALL = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * The routes of these controllers. Regular expressions and wildcards are left out: no path of a document can say them.
 */
export function appRoutes(controllers: readonly unknown[], options: IRoute['options']): AppRoute[] {
  return parseRoutes(getMetadataArgsStorage(), options)
    .filter(
      ({ action, controller }) => controller && controllers.includes(action.target) && isExpressible(action.route),
    )
    .flatMap((route) => {
      const path = getFullPath(route).replace(/(?<=.)\/+$/, '');
      const methods = route.action.type === 'all' ? ALL : [route.action.type].filter((type) => METHODS.includes(type));
      return methods.map((method) => ({ route: withoutUntypedQueries(route), path, method }));
    });
}

/** The classes that the parameters of a route have as types. */
export function typesOf({ params }: IRoute): TypeClass[] {
  const read = params.filter(({ type }) => READ.includes(type));
  return read.map((param) => param.explicitType ?? reflectedType(param)).filter(isTypeClass);
}

/** Kinds of parameters that a document shows. */
const READ = ['header', 'headers', 'param', 'query', 'queries', 'body', 'body-param'];

function reflectedType({ object, method, index }: IRoute['params'][number]): unknown {
  return Reflect.getMetadata('design:paramtypes', object, method)?.[index];
}

const isExpressible = (route: unknown) => route === undefined || (typeof route === 'string' && !/[*{}]/.test(route));

/** `@QueryParams()` without a class says nothing of its fields, and the generator fails on it. */
function withoutUntypedQueries(route: IRoute): IRoute {
  const isUntyped = (param: IRoute['params'][number]) =>
    param.type === 'queries' && !isTypeClass(param.explicitType ?? reflectedType(param));
  return { ...route, params: route.params.filter((param) => !isUntyped(param)) };
}
