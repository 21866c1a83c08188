-- Orthanc sends the MR series of each study to the node, as soon as nothing new came for StableAge seconds.
-- What the node sends back belongs to the same study: only series of MR are sent, so it does not go in circles.
function OnStableSeries(seriesId, tags, metadata)
  if tags['Modality'] == 'MR' then
    SendToModality(seriesId, 'brain')
  end
end
