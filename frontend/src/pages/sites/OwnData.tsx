/* What is possible with own data today and what is not yet: said exactly, promised nothing. */
import { useTranslation } from 'react-i18next';
import { Panel } from '../../components/Page';

export function OwnData() {
  const { t } = useTranslation();
  const points = (key: string) => t(key, { returnObjects: true }) as unknown as string[];
  return (
    <Panel title={t('ui.own_data.title')} id="own-data">
      <div className="aw-prose">
        <p>{t('ui.own_data.now')}</p>
        <h3>{t('ui.own_data.possible_title')}</h3>
        <ul>
          {points('ui.own_data.possible').map((point) => (
            <li key={point}>{point}</li>
          ))}
        </ul>
        <h3>{t('ui.own_data.later_title')}</h3>
        <p>{t('ui.own_data.later')}</p>
        <h3>{t('ui.own_data.prepare_title')}</h3>
        <ul>
          {points('ui.own_data.prepare').map((point) => (
            <li key={point}>{point}</li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}
