/* What the topology means for a pilot, in words; warnings first. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { Tag } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';

interface Props {
  facts: Schemas['Facts'];
  numSites: number;
  shown: (name: string) => string;
}
const FAST = 0.5;
const SLOW = 0.9;

export function TopologyFacts({ facts, numSites, shown }: Props) {
  const { t } = useTranslation();
  const formats = useFormats();
  const say = useSay();
  const lambda = facts.second_eigenvalue;
  // Of a graph that changes with every merge the eigenvalue is that of a whole period: a merge has its share of it.
  const each = lambda === null ? null : lambda ** (1 / facts.period);
  const speed = each === null ? null : each < FAST ? 'fast' : each < SLOW ? 'middle' : 'slow';
  const hub = numSites > 3 && facts.busiest_site_links >= numSites - 1 && facts.num_links < numSites;
  return (
    <div className="aw-stack" aria-live="polite">
      {facts.problem ? (
        <Note tone="bad" icon="warn">
          {say('errors', facts.problem, shown)}
        </Note>
      ) : null}
      {hub && facts.busiest_site ? (
        <Note tone="warn" icon="warn">
          {t('ui.topology.hub_warning', { name: shown(facts.busiest_site) })}
        </Note>
      ) : null}
      {facts.period > 1 ? <Note>{t('ui.topology.one_peer_help', { period: facts.period })}</Note> : null}
      <dl className="aw-pairs">
        <dt>{t('ui.topology.connected')}</dt>
        <dd>
          <Tag tone={facts.connected ? 'good' : 'bad'} icon={facts.connected ? 'check' : 'cross'}>
            {t(facts.connected ? 'ui.yes' : 'ui.no')}
          </Tag>
        </dd>
        <dt>{t('ui.topology.num_links')}</dt>
        <dd>{formats.number(facts.num_links)}</dd>
        <dt>{t('ui.topology.mixing_speed')}</dt>
        <dd>
          {speed === null ? '–' : t(`ui.topology.speed_${speed}`)}
          {lambda === null ? null : (
            <span className="aw-sub">
              {t(facts.period > 1 ? 'ui.topology.lambda_period' : 'ui.topology.lambda', {
                value: formats.number(lambda, 3),
              })}
            </span>
          )}
        </dd>
        <dt>{t('ui.topology.rounds_to_mix')}</dt>
        <dd>
          {facts.rounds_to_mix === null
            ? t('ui.topology.never_mixes')
            : t('ui.topology.rounds', { number: formats.number(facts.rounds_to_mix) })}
          <span className="aw-sub">{t('ui.topology.rounds_to_mix_help')}</span>
        </dd>
        <dt>{t('ui.topology.busiest')}</dt>
        <dd>
          {facts.busiest_site
            ? t('ui.topology.busiest_value', {
                name: shown(facts.busiest_site),
                number: formats.number(facts.busiest_site_links),
              })
            : facts.busiest_site_links > 0
              ? t('ui.topology.busiest_none', { number: formats.number(facts.busiest_site_links) })
              : '–'}
        </dd>
      </dl>
    </div>
  );
}
