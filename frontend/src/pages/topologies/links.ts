/* Links as values: adding, removing, asking. Pure; the presets themselves come from the server. */
import type { Schemas } from '../../api/client';

export type Link = Schemas['Link'];
export type Spec = Schemas['TopologySpec'];

export function hasLink(links: readonly Link[], a: string, b: string): boolean {
  return links.some((link) => same(link, a, b));
}

/** The links with the one between `a` and `b` added, or removed where it was. */
export function toggled(links: readonly Link[], a: string, b: string): Link[] {
  if (a === b) return [...links];
  return hasLink(links, a, b) ? links.filter((link) => !same(link, a, b)) : [...links, { a, b }];
}

export function neighbours(links: readonly Link[], site: string): string[] {
  return links.flatMap((link) => (link.a === site ? [link.b] : link.b === site ? [link.a] : []));
}

/** Weights that are worked out from the graph. */
export const MIXINGS = ['metropolis', 'uniform', 'optimised'] as const;

/** The weights to keep where a graph becomes one of another kind: those that are worked out anew for it. */
export function mixingFor(spec: Spec, kind: Spec['kind']): NonNullable<Spec['mixing']> {
  if (spec.mixing === 'uniform') return 'uniform';
  return spec.mixing === 'optimised' && kind !== 'one_peer' ? 'optimised' : 'metropolis';
}

/** The links as a graph of its own; what belonged to the kind it was is dropped. */
export function withLinks(spec: Spec, links: Link[]): Spec {
  return { kind: 'custom', hub: null, links, weights: null, mixing: mixingFor(spec, 'custom') };
}

/** `spec` for other sites: what names a site that is gone is dropped. */
export function restrictedTo(spec: Spec, names: readonly string[]): Spec {
  const known = new Set(names);
  return {
    ...spec,
    hub: spec.hub && known.has(spec.hub) ? spec.hub : null,
    links: (spec.links ?? []).filter((link) => known.has(link.a) && known.has(link.b)),
  };
}

/** A saved topology's spec for the sites of a pilot. Own weights are kept where the sites are the same ones, in
    the pilot's order; for other sites they mean nothing, and the usual mixing takes their place. */
export function takenOver(spec: Spec, from: readonly string[], names: readonly string[]): Spec {
  const places = names.map((name) => from.indexOf(name));
  const kept = restrictedTo(spec, names);
  if (!spec.weights) return kept;
  if (from.length !== names.length || places.includes(-1))
    return { ...kept, mixing: 'metropolis', weights: null };
  return {
    ...kept,
    weights: places.map((row) => places.map((column) => spec.weights?.[row]?.[column] ?? 0)),
  };
}

function same(link: Link, a: string, b: string): boolean {
  return (link.a === a && link.b === b) || (link.a === b && link.b === a);
}
