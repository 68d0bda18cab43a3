/* Presets, graph, matrix and facts together: used by the page of a topology and by the new pilot. */
import { Button, Select } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { findings } from '../../api/problems';
import { Loading, ProblemNote } from '../../components/Answer';
import { Icon } from '../../components/Icon';
import { useSay } from '../../i18n/say';
import { TopologyFacts } from './Facts';
import { mixingFor, MIXINGS, type Spec } from './links';
import { Matrix } from './Matrix';
import { OptionFields, type OptionAt } from './OptionFields';
import { optionMeant, optionOf, startOf } from './options';
import type { Topology } from './useTopology';

const Graph = lazy(() => import('./Graph'));
const PRESETS = [
  'full', 'ring', 'star', 'line', 'torus', 'exponential', 'one_peer', 'random_regular', 'small_world',
] as const; // prettier-ignore

interface Props {
  topology: Topology;
  shown: (name: string) => string;
  /** The input of an option in the form around, with what the server said of it when the form was sent. */
  at: OptionAt;
}

export function TopologyEditor({ topology, shown, at }: Props) {
  const { t } = useTranslation();
  const say = useSay();
  const { draft, links, preview } = topology;
  const [said, setSaid] = useState('');
  const choose = (kind: NonNullable<Spec['kind']>) =>
    topology.setSpec({
      kind,
      hub: kind === 'star' ? (draft.names[0] ?? null) : null,
      links: [],
      mixing: mixingFor(draft.spec, kind),
      weights: null,
      ...startOf(kind, draft.names.length),
    });
  // What is wrong with an option is said at its input, also while one types; the rest as ever.
  const refused = findings(preview.error, shown);
  const facts = preview.data?.facts;
  const meant = facts?.problem ? optionMeant(facts.problem) : null;
  const wrong = new Map(refused.map((finding) => [optionOf(finding), finding.sentence]));
  if (facts?.problem && meant) wrong.set(meant, say('errors', facts.problem, shown));
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
        <OptionFields
          topology={topology}
          at={(option) => ({ ...at(option), error: wrong.get(option) ?? at(option).error })}
        />
        <Suspense fallback={<Loading />}>
          <Graph names={draft.names} shown={shown} links={links} onToggle={toggle} />
        </Suspense>
        <p className="aw-visually-hidden" role="status">
          {said}
        </p>
      </div>
      <div className="aw-stack">
        {preview.error && (refused.length === 0 || wrong.has(null)) ? (
          <ProblemNote error={preview.error} />
        ) : null}
        {facts ? (
          <TopologyFacts
            facts={meant ? { ...facts, problem: null } : facts}
            numSites={draft.names.length}
            shown={shown}
          />
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
