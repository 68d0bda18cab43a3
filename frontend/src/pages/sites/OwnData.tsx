/* What is possible with own data today and what is not yet: said exactly, promised nothing. */
import { useTranslation } from 'react-i18next';
import { RoomyPanel } from '../../components/Page';
import { usePoints } from '../../i18n/usePoints';

export function OwnData() {
  const { t } = useTranslation();
  const possible = usePoints('ui.own_data.possible');
  const prepare = usePoints('ui.own_data.prepare');
  return (
    <RoomyPanel title={t('ui.own_data.title')}>
      <div className="aw-prose">
        <p>{t('ui.own_data.now')}</p>
        <h3>{t('ui.own_data.possible_title')}</h3>
        <ul>
          {possible.map(([key, point]) => (
            <li key={key}>{point}</li>
          ))}
        </ul>
        <h3>{t('ui.own_data.later_title')}</h3>
        <p>{t('ui.own_data.later')}</p>
        <h3>{t('ui.own_data.prepare_title')}</h3>
        <ul>
          {prepare.map(([key, point]) => (
            <li key={key}>{point}</li>
          ))}
        </ul>
      </div>
    </RoomyPanel>
  );
}
