/* Presets, graph, matrix and facts together: used by the page of a topology and by the new pilot. */
import { Button, Select } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Loading, ProblemNote } from '../../components/Answer';
import { Icon } from '../../components/Icon';
import { TopologyFacts } from './Facts';
import { mixingFor, type Spec } from './links';
import { Matrix } from './Matrix';
import type { Topology } from './useTopology';

const Graph = lazy(() => import('./Graph'));
const PRESETS = ['full', 'ring', 'star', 'line', 'torus', 'exponential', 'one_peer'] as const;
const MIXINGS = ['metropolis', 'uniform', 'optimised'] as const;

export function TopologyEditor({ topology, shown }: { topology: Topology; shown: (name: string) => string }) {
  const { t } = useTranslation();
  const { draft, links, preview } = topology;
  const [said, setSaid] = useState('');
  const choose = (kind: NonNullable<Spec['kind']>) =>
    topology.setSpec({
      kind,
      hub: kind === 'star' ? (draft.names[0] ?? null) : null,
      links: [],
      mixing: mixingFor(draft.spec, kind),
      weights: null,
    });
  const toggle = (a: string, b: string) => {
    topology.toggle(a, b);
    const was = links.some((link) => [link.a, link.b].includes(a) && [link.a, link.b].includes(b));
    setSaid(t(was ? 'ui.topology.unlinked' : 'ui.topology.linked', { a: shown(a), b: shown(b) }));
  };

  return (
    <div className="aw-editor">
      <div className="aw-stack">
        <div className="aw-actions">
          <div className="aw-segments" role="group" aria-label={t('ui.topology.preset')}>
            {PRESETS.map((kind) => (
              <button
                key={kind}
                type="button"
                aria-pressed={draft.spec.kind === kind}
                onClick={() => choose(kind)}
              >
                {t(`ui.topology.kind_${kind}`)}
              </button>
            ))}
          </div>
          {PRESETS.some((kind) => kind === draft.spec.kind) ? null : (
            <span className="aw-soft">{t(`ui.topology.kind_${draft.spec.kind ?? 'full'}`)}</span>
          )}
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="undo" size={15} />}
            disabled={!topology.canUndo}
            onClick={() => {
              topology.undo();
              setSaid(t('ui.topology.undone'));
            }}
          >
            {t('ui.undo')}
          </Button>
        </div>
        <Suspense fallback={<Loading />}>
          <Graph names={draft.names} shown={shown} links={links} onToggle={toggle} />
        </Suspense>
        <p className="aw-visually-hidden" role="status">
          {said}
        </p>
      </div>
      <div className="aw-stack">
        {preview.error ? <ProblemNote error={preview.error} /> : null}
        {preview.data ? (
          <TopologyFacts facts={preview.data.facts} numSites={draft.names.length} shown={shown} />
        ) : null}
        {draft.spec.kind === 'star' ? (
          <Select
            label={t('ui.topology.hub')}
            data={draft.names.map((name) => ({ value: name, label: shown(name) }))}
            value={draft.spec.hub ?? draft.names[0] ?? null}
            onChange={(hub) => topology.setSpec({ ...draft.spec, hub })}
          />
        ) : null}
        <Select
          label={t('ui.topology.mixing')}
          description={t('ui.topology.mixing_help')}
          data={MIXINGS.filter((value) => mixingFor({ mixing: value }, draft.spec.kind) === value).map(
            (value) => ({ value, label: t(`ui.topology.mixing_${value}`) }),
          )}
          value={draft.spec.mixing ?? 'metropolis'}
          onChange={(value) =>
            topology.setSpec({
              ...draft.spec,
              mixing: MIXINGS.find((known) => known === value) ?? 'metropolis',
              weights: null,
            })
          }
        />
        <Matrix names={draft.names} shown={shown} links={links} onToggle={toggle} />
      </div>
    </div>
  );
}
